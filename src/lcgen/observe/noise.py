"""Photometric errors: those of a schedule's depths, and those of a training survey, learned from its data.

The names are collected here from the modules that define them.
"""

from .depth_noise import DepthNoise
from .protocol import NoiseModel, NoiseRequest, NoisyPhotometry
from .survey_noise import SurveyNoise

__all__ = ["DepthNoise", "NoiseModel", "NoiseRequest", "NoisyPhotometry", "SurveyNoise"]
