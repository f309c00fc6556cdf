"""What a repository wants to do on this machine itself: shown to the person, and allowed once, before it happens.

Mounts and privileges of a container are not here: they are the container's, and `up --dry-run` shows them.
"""

from __future__ import annotations

from devcontainer.compose import Project
from devcontainer.lifecycle import Stage
from devenv.environment.target import Target
from devenv.lifecycle.trust import Claim

# Of `docker build`: what stays within the build. Others read or write files of this machine, or use its credentials.
# fmt: off
_WITHIN = frozenset({
    "--add-host", "--annotation", "--attest", "--build-arg", "--call", "--cgroup-parent", "--check", "--compress",
    "--cpu-period", "--cpu-quota", "--cpu-shares", "--cpuset-cpus", "--cpuset-mems", "--debug",
    "--disable-content-trust", "--force-rm", "--isolation", "--label", "--memory", "--memory-swap", "--network",
    "--no-cache", "--no-cache-filter", "--platform", "--progress", "--provenance", "--pull", "--quiet", "--rm",
    "--sbom", "--security-opt", "--shm-size", "--squash", "--tag", "--target", "--ulimit", "-c", "-D", "-m", "-q",
    "-t",
})
# fmt: on


def claims(target: Target) -> list[Claim]:
    """Of devcontainer.json, as written: what a variable holds is the person's own."""
    found = []
    command = target.written.initialize_command
    if command:
        text = "; ".join(step.text for step in command.steps)
        found.append(Claim("initializeCommand", text, target.written.raw.get(Stage.INITIALIZE.value)))
    build = target.written.build
    if build is not None and any(_reaches_out(option) for option in build.options):
        found.append(Claim("build.options", " ".join(build.options), list(build.options)))
    return found


def provider_claims(project: Project) -> list[Claim]:
    """Of services that are no containers but programs of this machine."""
    found = []
    for service in project.services.values():
        if program := service.runs_a_provider:
            found.append(Claim(f"the Compose service {service.name}", program, service.raw.get("provider")))
    return found


def _reaches_out(option: str) -> bool:
    if not option.startswith("-"):
        return False
    return (option.partition("=")[0] if option.startswith("--") else option[:2]) not in _WITHIN
