from ae_pipelines.pipelines.recognise.pipeline import create_pipeline

__all__ = ["create_pipeline"]
