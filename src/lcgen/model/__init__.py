"""Neural networks: the periodic cVAE, and the published networks it replaces. Needs torch."""
