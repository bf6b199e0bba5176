"""Chapter 9: unsupervised and generative models."""

from twin.spec import Draw, Metric, Optimizer, Size, Twin

TWINS = (
    Twin(
        name="denoising_autoencoder",
        title="Denoising autoencoder",
        kind="model",
        deck="C",
        topic="Denoising autoencoder, with Gaussian noise and with dropout",
        paper="Vincent et al., Extracting and composing robust features with denoising autoencoders, 2008, section 2.3",
        model="DenoisingAutoencoder",
        small=Size({"pixels": 64, "hidden": 128, "code": 32, "noise": 0.4, "rate": 0.2}, parameters=24_928),
        ladder={"noise": 0.0, "rate": 0.0},
        data="noisy_digits",
        data_options={"noise": 0.4, "rate": 0.2},
        loss="mean_squared_error",
        optimizer=Optimizer("adam", learning_rate=1e-3),
        metric=Metric("reconstruction_error", goal=0.045, chance=0.074, margin=0.0045),  # a tenth of the goal
        epochs=60,
        batch_size=32,
    ),
    Twin(
        name="rbm",
        title="Restricted Boltzmann machine",
        kind="model",
        deck="C",
        topic="RBM",
        paper="Hinton, Training products of experts by minimizing contrastive divergence, 2002",
        model="RBM",
        small=Size({"visible": 64, "hidden": 32}, parameters=2_144),
        data="binary_digits",
        loss="phases",
        draws=(Draw("hidden_uniform", "uniform", ("hidden",)),),
        optimizer=Optimizer("sgd", learning_rate=0.1, momentum=0.5),
        metric=Metric("reconstruction_error", goal=0.04, chance=0.133, margin=0.004),  # a tenth of the goal
        epochs=50,
        batch_size=32,
    ),
    Twin(
        name="gan",
        title="Generative adversarial network",
        kind="model",
        deck="C",
        topic="GAN",
        paper="Goodfellow et al., Generative adversarial nets, 2014, sections 3 and 4",
        model="GAN",
        small=Size({"latent": 16, "hidden": 128, "pixels": 64}, parameters=51_905),
        data="latent_digits",
        data_options={"latent": 16},
        loss="phases",
        draws=(Draw("x", "normal", ("latent",)),),
        optimizer=Optimizer("adam", learning_rate=2e-3, beta_1=0.5),
        metric=Metric("frechet_distance", goal=5.0, chance=44.0, margin=0.5),  # a tenth of the goal
        epochs=120,
        batch_size=64,
    ),
)
