from ae_pipelines.pipelines.search.pipeline import create_pipeline

__all__ = ["create_pipeline"]
