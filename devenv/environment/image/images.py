"""From a configuration to the image that its container is made from: pulled, built, with its features on top."""

from __future__ import annotations

import asyncio
import pathlib

from devenv.compose.project import ComposeProject
from devenv.engine.build import failure, log_file
from devenv.engine.build_log import BuildLog, ClassicLog, PlainLog
from devenv.engine.docker_cli import reason
from devenv.engine.port import EngineInfo, ImageSnapshot
from devenv.environment import image_label, inspection, plan
from devenv.environment.composed import ComposeMaker
from devenv.environment.image.feature_image import FeatureImage
from devenv.environment.job import Job
from devenv.environment.plan import Step, StepKind
from devenv.environment.shape import Made
from devenv.environment.single import SingleMaker
from devenv.errors import EngineError


class Images:
    """One `up`'s way to its image."""

    def __init__(self, job: Job, maker: SingleMaker | ComposeMaker) -> None:
        self._job = job
        self._maker = maker

    async def look(self) -> tuple[Made | None, EngineInfo, list[Step]]:
        """What is known without a deed: (the image, if it is there; the engine; what would be done)."""
        job = self._job
        reference, request, steps = await self._reference(), None, []
        image, info = await self._ask(reference)
        if isinstance(self._maker, ComposeMaker):
            project = await self._maker.project()
            built = project.main.is_built
            title = f"build {reference} (service {project.main.name})"
        else:
            request = plan.build_request(job.target, job.options, log_path="")
            built = request is not None
            title = f"build {reference} from {request.dockerfile}" if request is not None else ""
        if built:
            steps.append(Step(StepKind.BUILD, title))
        elif image is None or job.options.pull:
            steps.append(Step(StepKind.PULL, f"pull {reference}"))
        return Made.plain(reference, image) if image is not None else None, info, steps

    async def obtain(self) -> tuple[Made, EngineInfo]:
        """Builds or pulls what is not there, and installs the features on top."""
        base, info = await self._base()
        for sentence in image_label.complaints(base.image, base.reference):
            self._job.note(sentence, level="warning")
        service_user = ""
        if isinstance(self._maker, ComposeMaker):
            service_user = (await self._maker.project()).main.user
        return await FeatureImage(self._job).add(base, info, service_user), info

    async def _base(self) -> tuple[Made, EngineInfo]:
        job = self._job
        if isinstance(self._maker, ComposeMaker):
            project = await self._maker.project()
            await job.images.prepare(self._maker.images(project))
            if project.main.is_built:
                info = await job.engine.info()
                await job.images.prepare(await asyncio.to_thread(inspection.outside_images, job.target, project.main))
                return await self._compose_build(project, info), info
        else:
            request = plan.build_request(job.target, job.options, log_path=str(self.log))
            if request is not None:
                text = await asyncio.to_thread(pathlib.Path(request.dockerfile).read_text, "utf-8", "replace")
                info = await job.engine.info()
                if not request.pull:
                    await job.images.prepare(await asyncio.to_thread(inspection.outside_images, job.target))
                image = await job.engine.build(request, job.progress)
                if image is None:
                    raise EngineError("the build did not put its image into the engine", "see build.options")
                return Made.plain(request.tags[0], image, text), info
        reference = await self._reference()
        image, info = await self._ask(reference)
        if image is None or job.options.pull:
            reference, image = await job.images.obtain(reference)
        return Made.plain(reference, image), info

    @property
    def log(self) -> pathlib.Path:
        return self._job.folder / "build.log"

    async def _reference(self) -> str:
        if not isinstance(self._maker, ComposeMaker):
            return plan.reference(self._job.target)
        project = await self._maker.project()
        return project.main.image or f"{project.name}-{project.main.name}"

    async def _ask(self, reference: str) -> tuple[ImageSnapshot | None, EngineInfo]:
        async with asyncio.TaskGroup() as tasks:
            image = tasks.create_task(self._job.engine.image(reference))
            info = tasks.create_task(self._job.engine.info())
        return image.result(), info.result()

    async def _compose_build(self, project: ComposeProject, info: EngineInfo) -> Made:
        """By Compose itself, so that all of the service's build settings hold."""
        job, reference = self._job, await self._reference()
        words = ["build", *(["--no-cache"] if job.options.no_cache else [])]
        with log_file(str(self.log)) as write:
            reader: BuildLog = (ClassicLog if info.is_podman else PlainLog)(job.progress, write)
            done = await job.engine.compose(
                ["--progress", "plain", "-p", project.name, *project.files.words, *words, project.main.name],
                cwd=project.files.cwd,
                take=reader.feed,
                take_output=reader.feed,
            )
            complaint = done.stderr.decode("utf-8", "replace")
            if done.exit_code and isinstance(reader, ClassicLog):
                reader.failed(reason(complaint))
            reader.finish()
        if done.exit_code:
            what = f"service {project.main.name}"
            raise failure(reader, complaint, done.exit_code, what=what, log_path=str(self.log))
        image = await job.engine.image(reference)
        if image is None:
            raise EngineError(
                f"Compose built {reference}, but the engine does not have it", "is its builder another engine?"
            )
        return Made.plain(reference, image)
