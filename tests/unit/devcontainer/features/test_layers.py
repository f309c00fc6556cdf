"""The Dockerfile that installs features, for builders with and without mounts."""

from __future__ import annotations

from devcontainer.features import layers
from devcontainer.features.layers import Layer, Users
from tests.unit.devcontainer.features import graphs

USERS = Users("root", "me", "dev")
LAYERS = [Layer(graphs.step({"id": name}), f"{name}_{at}", at == 1) for at, name in enumerate("ab")]


def test_a_builder_that_mounts_copies_nothing() -> None:
    text = layers.dockerfile("image", LAYERS, USERS)
    assert "COPY" not in text and text.count("RUN --mount") == 2 and "rm " not in text
    assert text.startswith("FROM image\nUSER 0\n") and text.endswith("USER dev\n")


def test_without_mounts_what_was_copied_stays_until_the_last_feature_and_then_goes() -> None:
    lines = layers.dockerfile("image", LAYERS, USERS, mounts=False).splitlines()
    place = "/tmp/devenv-features"
    assert lines == [
        "FROM image",
        "USER 0",
        f"COPY install-feature.sh {place}/install-feature.sh",
        f"COPY a_0 {place}/a_0",
        f"RUN sh {place}/install-feature.sh a_0 && rm -rf {place}/a_0",
        f"COPY b_1 {place}/b_1",
        f"RUN sh {place}/install-feature.sh b_1 root me && rm -rf {place}/b_1",
        f"RUN rm -rf {place}",
        "USER dev",
    ]


def test_no_features_leave_nothing_to_copy() -> None:
    assert layers.dockerfile("image", [], USERS, mounts=False) == "FROM image\nUSER 0\nUSER dev\n"
