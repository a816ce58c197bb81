from ae_pipelines.pipelines.projector.pipeline import create_pipeline

__all__ = ["create_pipeline"]
