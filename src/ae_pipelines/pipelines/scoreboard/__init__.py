from ae_pipelines.pipelines.scoreboard.pipeline import create_pipeline

__all__ = ["create_pipeline"]
