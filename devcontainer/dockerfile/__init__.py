"""As much of the Dockerfile language as is needed to put features on top of one: stages, base image, user.

    dockerfile = parse(text, "Dockerfile")
    dockerfile.base_image(build_args={"VARIANT": "bookworm"})
    name, text = dockerfile.with_named_final_stage("project")

What builds is the engine's business; nothing here checks what it will check anyway. `lines` cuts the text into
instructions, `words` does quotes and variables, `reading` makes stages, `stages` says what they amount to.
"""

from devcontainer.dockerfile.lines import Instruction
from devcontainer.dockerfile.reading import parse
from devcontainer.dockerfile.stages import Dockerfile, DockerfileError, Stage, platform_arguments

__all__ = ["Dockerfile", "DockerfileError", "Instruction", "Stage", "parse", "platform_arguments"]
