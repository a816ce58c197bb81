from ae_pipelines.pipelines.generate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
