from ae_pipelines.pipelines.cluster.pipeline import create_pipeline

__all__ = ["create_pipeline"]
