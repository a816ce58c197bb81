from ae_pipelines.pipelines.collect.pipeline import create_pipeline

__all__ = ["create_pipeline"]
