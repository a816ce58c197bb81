from ae_pipelines.pipelines.restore.pipeline import create_pipeline

__all__ = ["create_pipeline"]
