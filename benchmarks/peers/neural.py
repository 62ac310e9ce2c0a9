"""ELSA and Mult-VAE, as small JAX programs."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers import Scored, as_ones

BATCH = 256


def elsa(task, *, dropout, epochs, factors=256):
    """ELSA (Vancura et al., 2022): x A A^T - x with rows of A of length 1, cosine loss between rows of unit length."""
    n_items = task.ratings.shape[1]
    params = {"a": jax.random.normal(jax.random.key(0), (n_items, factors))}

    def predict(params, x):
        rows = params["a"] / jnp.linalg.norm(params["a"], axis=1, keepdims=True)
        return (x @ rows) @ rows.T - x

    def loss(params, x, key, _):
        kept = x * jax.random.bernoulli(key, 1 - dropout, x.shape)
        return ((_unit(jax.nn.relu(predict(params, kept))) - _unit(x)) ** 2).sum(axis=1).mean()

    return _fit(task, params, loss, predict, epochs=epochs, learning_rate=0.02)


def mult_vae(task, *, hidden, epochs):
    """Mult-VAE (Liang et al., 2018): one hidden layer each way, dropout 0.5, KL annealed to 0.2."""
    n_items = task.ratings.shape[1]
    latent = hidden // 3
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = {"w1": (n_items, hidden), "w2": (hidden, 2 * latent), "w3": (latent, hidden), "w4": (hidden, n_items)}
    init = jax.nn.initializers.glorot_normal()
    params = {name: init(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}
    params |= {"b" + name[1]: jnp.zeros(shape[1]) for name, shape in shapes.items()}

    def encode(params, x):
        state = jnp.tanh(_unit(x) @ params["w1"] + params["b1"])
        return jnp.split(state @ params["w2"] + params["b2"], 2, axis=1)

    def decode(params, z):
        return jnp.tanh(z @ params["w3"] + params["b3"]) @ params["w4"] + params["b4"]

    def loss(params, x, key, progress):
        drop, noise = jax.random.split(key)
        mean, log_variance = encode(params, x * jax.random.bernoulli(drop, 0.5, x.shape) * 2)
        z = mean + jax.random.normal(noise, mean.shape) * jnp.exp(log_variance / 2)
        likelihood = (jax.nn.log_softmax(decode(params, z)) * x).sum(axis=1)
        divergence = (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1) / 2
        return (jnp.minimum(0.2, progress * 0.4) * divergence - likelihood).mean()

    def predict(params, x):
        return decode(params, encode(params, x)[0])

    return _fit(task, params, loss, predict, epochs=epochs, learning_rate=1e-3)


def _fit(task, params, loss, predict, *, epochs, learning_rate):
    """Adam over shuffled batches; `loss(params, x, key, progress from 0 to 1)`."""
    watched = task.watched()
    n_users = watched.shape[0]
    steps = -(-n_users // BATCH)
    optimiser = optax.adam(learning_rate)

    @jax.jit
    def step(params, state, x, key, progress):
        gradients = jax.grad(loss)(params, x, key, progress)
        updates, state = optimiser.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    rng, key, state = np.random.default_rng(0), jax.random.key(1), optimiser.init(params)
    for number in range(epochs * steps):
        if number % steps == 0:
            order = np.resize(rng.permutation(n_users), steps * BATCH)
        rows = order[number % steps * BATCH :][:BATCH]
        batch = watched[rows].toarray()
        params, state = step(params, state, batch, jax.random.fold_in(key, number), number / (epochs * steps))
    jax.block_until_ready(params)
    fitted = time.perf_counter()
    scores = np.asarray(predict(params, as_ones(task.fold_in).toarray()))
    return Scored(scores, fitted, sum(value.nbytes for value in params.values()))


def _unit(x):
    return x / jnp.maximum(jnp.sqrt((x**2).sum(axis=1, keepdims=True)), 1e-9)
