from ae_pipelines.pipelines.contrast.pipeline import create_pipeline

__all__ = ["create_pipeline"]
