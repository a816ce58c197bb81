from ae_pipelines.pipelines.classify.pipeline import create_pipeline

__all__ = ["create_pipeline"]
