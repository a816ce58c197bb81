from ae_pipelines.pipelines.detect.pipeline import create_pipeline

__all__ = ["create_pipeline"]
