from .latent_walk import LatentWalk, static_walk
