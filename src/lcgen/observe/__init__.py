"""What a survey does to a star: photometric errors. Needs no torch."""

from .noise import DepthNoise, NoiseModel, NoiseRequest, SurveyNoise

__all__ = ["DepthNoise", "NoiseModel", "NoiseRequest", "SurveyNoise"]
