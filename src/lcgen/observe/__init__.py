"""What a survey does to a star: photometric errors, saturation, detection. Needs no torch."""

from .depth import five_sigma_depth
from .detection import Detection
from .gains import BandGains, load_gains, transfer
from .noise import DepthNoise, NoiseModel, NoiseRequest, NoisyPhotometry, SurveyNoise
from .saturation import Saturation
from .survey_noise import night_number

__all__ = [
    "BandGains",
    "DepthNoise",
    "Detection",
    "NoiseModel",
    "NoiseRequest",
    "NoisyPhotometry",
    "Saturation",
    "SurveyNoise",
    "five_sigma_depth",
    "load_gains",
    "night_number",
    "transfer",
]
