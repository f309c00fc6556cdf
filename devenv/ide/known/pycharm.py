"""PyCharm: run configurations in `.run`, one file each, as PyCharm stores the ones that are shared.

"Attach to DAP" is of PyCharm 2025.3 and later. The older way is the reverse: the IDE listens, and the program connects
to it with pydevd-pycharm, through a reverse forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from devenv.ide.edit import Editor, FileEdit, Merged
from devenv.ide.facts import HOST, NAME, Facts
from devenv.ide.merge import xml
from devenv.ide.merge.outcome import Unmergeable

FILE = ".run/devenv attach.run.xml"
CLASSIC_FILE = ".run/devenv debug server.run.xml"
CLASSIC_NAME = "devenv: debug server"
CLASSIC_PORT = 5678
_ROOT = "$PROJECT_DIR$"


def _attach(facts: Facts) -> str:
    remote = quoteattr(facts.remote_root)
    return f"""\
<component name="ProjectRunConfigurationManager">
  <configuration default="false" name="{NAME}" type="PythonDapAttachConfiguration">
    <option name="remoteAddress" value="{HOST}:{facts.door.port}" />
    <option name="localRoot" value="{_ROOT}" />
    <option name="remoteRoot" value={remote} />
    <option name="justMyCode" value="{str(facts.just_my_code).lower()}" />
{_mapping(remote)}
    <method v="2" />
  </configuration>
</component>
"""


def _classic(facts: Facts) -> str:
    kind = 'type="PyRemoteDebugConfigurationType" factoryName="Python Remote Debug"'
    return f"""\
<component name="ProjectRunConfigurationManager">
  <configuration default="false" name="{CLASSIC_NAME}" {kind}>
    <option name="PORT" value="{CLASSIC_PORT}" />
    <option name="HOST" value="localhost" />
{_mapping(quoteattr(facts.remote_root))}
    <option name="REDIRECT_OUTPUT" value="true" />
    <option name="SUSPEND_AFTER_CONNECT" value="true" />
    <method v="2" />
  </configuration>
</component>
"""


def _mapping(remote: str) -> str:
    return f"""\
    <PathMappingSettings>
      <option name="pathMappings">
        <list>
          <mapping local-root="{_ROOT}" remote-root={remote} />
        </list>
      </option>
    </PathMappingSettings>"""


def merge(text: str | None, facts: Facts, add: bool) -> Merged:
    return _merge(text, facts, add, NAME, _attach(facts))


def merge_classic(text: str | None, facts: Facts, add: bool) -> Merged:
    return _merge(text, facts, add, CLASSIC_NAME, _classic(facts))


def _merge(text: str | None, facts: Facts, add: bool, name: str, new: str) -> Merged:
    """PyCharm writes the file anew when the configuration is edited there; address and folder are corrected in it."""
    if text is None or not text.strip():
        return Merged(new if add else text or "", ours=False)
    known = list(xml.elements(text))
    if not any(path[-1] == "configuration" and found.get("name") == name for path, found in known):
        raise Unmergeable(f"it holds another run configuration than {name!r}")
    mapped = any(path[-1] == "mapping" and found.get("remote-root") == facts.remote_root for path, found in known)
    mappings = sum(path[-1] == "mapping" for path, _ in known)

    def wanted(path: tuple[str, ...], found: Mapping[str, str]) -> Mapping[str, str]:
        option = found.get("name") if path[-1] == "option" else None
        value = {"remoteAddress": f"{HOST}:{facts.door.port}", "remoteRoot": facts.remote_root}.get(option or "")
        if value is not None and found.get("value") != value:
            return {"value": value}
        if path[-1] == "mapping" and not mapped and mappings == 1:  # of several, nobody knows which is meant
            return {"remote-root": facts.remote_root}
        return {}

    return Merged(xml.set_attributes(text, wanted), ours=True)


def show(facts: Facts) -> str:
    return (
        f"<!-- {FILE} (PyCharm 2025.3 or later).\n"
        f"     By hand: Run | Edit Configurations | Attach to DAP; remote address {HOST}:{facts.door.port},\n"
        "     local path: the project, remote path as below. -->\n" + _attach(facts)
    )


EDITOR = Editor("pycharm", "PyCharm", (FileEdit("pycharm", FILE, merge),), f'run "{NAME}" (2025.3 or later)', show)
CLASSIC = Editor(
    "pycharm-classic",
    "PyCharm's debug server",
    (FileEdit("pycharm-classic", CLASSIC_FILE, merge_classic),),
    f'start "{CLASSIC_NAME}", `devenv forward --reverse {CLASSIC_PORT}`, and in the program '
    f'pydevd_pycharm.settrace("{HOST}", port={CLASSIC_PORT})',
    lambda facts: f"<!-- {CLASSIC_FILE}; the program connects to 127.0.0.1:{CLASSIC_PORT} -->\n" + _classic(facts),
)
