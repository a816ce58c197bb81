from ae_pipelines.pipelines.embed.pipeline import create_pipeline

__all__ = ["create_pipeline"]
