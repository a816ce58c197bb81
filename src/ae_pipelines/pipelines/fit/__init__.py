from ae_pipelines.pipelines.fit.pipeline import create_pipeline

__all__ = ["create_pipeline"]
