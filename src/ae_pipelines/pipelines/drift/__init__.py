from ae_pipelines.pipelines.drift.pipeline import create_pipeline

__all__ = ["create_pipeline"]
