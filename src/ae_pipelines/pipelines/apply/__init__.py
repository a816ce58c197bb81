from ae_pipelines.pipelines.apply.pipeline import create_pipeline

__all__ = ["create_pipeline"]
