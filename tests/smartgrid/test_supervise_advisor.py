"""The advisor: it explains beside the loops, and neither its words nor its silence reach them."""

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult

from grid_supervisor.results import Action, LoopResult, TickResult
from smartgrid.advisor import LONGEST_WORDS, SHIFT_LOG, WAITING_TICKS, Advisor, open_advisor
from smartgrid.errors import RoleError
from smartgrid.settings import Settings
from tests.grid_supervisor.conftest import START, Plant

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""Nobody waits so long: the model answers at once."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / SHIFT_LOG


def acted(reason: str = "hold the ramp") -> TickResult:
    action = Action("battery", 400.0, reason, "accepted", expected_gain_usd=12.5)
    return TickResult((LoopResult("response", START, "acted", "", (action,)),))


def blocked(reason: str) -> TickResult:
    return TickResult((LoopResult("response", START, "blocked", reason),))


class HangingModel(FakeListChatModel):
    """Answers when the test lets it."""

    asked: Any
    released: Any

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **named: Any,
    ) -> ChatResult:
        self.asked.set()
        self.released.wait()
        return super()._generate(messages, stop, run_manager, **named)


class BrokenModel(FakeListChatModel):
    """Fails as a provider may: with an exception of its own."""

    def _generate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002  the base's signature
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **named: Any,  # noqa: ARG002
    ) -> ChatResult:
        raise KeyError("choices")


def test_an_entry_has_the_facts_and_the_models_words_as_a_quotation(log: Path) -> None:
    advisor = Advisor(
        FakeListChatModel(responses=["The battery held the ramp.\n## not an entry of ours"]), log
    )
    advisor.tell(acted())
    advisor.close(PATIENCE_S)
    assert log.read_text(encoding="utf-8") == (
        "## 2026-03-01T12:00:00+00:00\n\n"
        "- response: acted\n"
        "  - battery +400.0 kW, accepted: hold the ramp (expected gain 12.50)\n\n"
        "> The battery held the ramp.\n> ## not an entry of ours\n\n"
    )


def test_words_are_cut_and_cannot_steer_a_terminal(log: Path) -> None:
    advisor = Advisor(FakeListChatModel(responses=["\x1b[2Jgone" + "x" * 10_000]), log)
    advisor.tell(acted())
    advisor.close(PATIENCE_S)
    text = log.read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "> [2Jgone" in text
    assert text.count("x") < LONGEST_WORDS


def test_an_interval_in_which_nothing_is_new_has_no_entry(log: Path) -> None:
    advisor = Advisor(FakeListChatModel(responses=["so it is"]), log)
    for reason in ("halted", "halted", "stale", "stale"):
        advisor.tell(blocked(reason))
    advisor.close(PATIENCE_S)
    assert log.read_text(encoding="utf-8").count("## ") == 2


def test_a_model_that_hangs_costs_entries_and_holds_nobody_up(log: Path) -> None:
    asked, released = threading.Event(), threading.Event()
    advisor = Advisor(HangingModel(responses=["late"], asked=asked, released=released), log)
    advisor.tell(acted())
    asked.wait()
    for _ in range(WAITING_TICKS + 3):
        advisor.tell(acted())
    assert advisor.dropped == 3
    advisor.close(patience_s=0.0)  # does not wait for it
    assert not log.exists()
    released.set()


def test_a_model_that_fails_is_named_in_the_log_and_the_next_entry_is_written(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    advisor = Advisor(BrokenModel(responses=[]), log)
    advisor.tell(acted())
    advisor.tell(acted())
    advisor.close(PATIENCE_S)
    assert log.read_text(encoding="utf-8").count("> (no explanation: KeyError)") == 2
    assert "the advisor's model failed" in caplog.text


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    advisor = Advisor(FakeListChatModel(responses=["fine"]), tmp_path)  # a directory
    advisor.tell(acted())
    advisor.close(PATIENCE_S)
    assert "the shift log cannot be written" in caplog.text


# -- its words cause no action ------------------------------------------------------------------------


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path / "plant")
    yield made
    made.close()


def ordering() -> GenericFakeChatModel:
    call = {"name": "dispatch_peaker", "args": {"power_kw": 900.0, "duration_min": 60.0}, "id": "1"}
    order = AIMessage(
        "Start the peaker at 900 kW now. Approve approval 1. Halt the autonomy.", tool_calls=[call]
    )
    return GenericFakeChatModel(messages=iter([order] * 9))


@pytest.mark.anyio
async def test_a_model_that_orders_and_calls_a_tool_moves_nothing(plant: Plant, log: Path) -> None:
    advisor = Advisor(ordering(), log)
    async with plant.supervisor() as supervisor:
        for _ in range(3):
            advisor.tell(await supervisor.tick())
            assert plant.act().peaker_kw == 0
            plant.advance()
    advisor.close(PATIENCE_S)
    assert "> Start the peaker at 900 kW now." in log.read_text(encoding="utf-8")
    assert [row.asset for row in plant.accepted() if row.asset == "peaker"] == []
    assert plant.approvals.list() == []
    assert plant.act().peaker_kw == 0


def test_only_the_command_line_knows_the_advisor_and_it_knows_no_way_to_act() -> None:
    """Whoever reads the shift log, or hands the advisor a tool, would show up here."""
    importers = set()
    for path in ROOT.glob("*/**/*.py"):
        if path.parts[len(ROOT.parts)] in ("tests", ".venv"):
            continue
        text = path.read_text(encoding="utf-8")
        if "smartgrid.advisor" in text or SHIFT_LOG in text:
            importers.add(path.relative_to(ROOT).as_posix())
    assert importers == {"smartgrid/advisor.py", "smartgrid/cli/supervise.py"}
    tree = ast.parse((ROOT / "smartgrid/advisor.py").read_text(encoding="utf-8"))
    rooms = {
        node.module.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert rooms & {"dispatch", "tools", "mcp_server", "mcp", "grid", "policies"} == set()
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert called & {"bind_tools", "bind"} == set()


# -- how it is opened ---------------------------------------------------------------------------------


def opened(name: str | None, tmp_path: Path) -> tuple[Callable[[TickResult], None], ...]:
    settings = Settings(state=tmp_path, kafka=None, influx_url=None)
    with open_advisor(name, settings) as told:
        for tell in told:
            tell(acted())
        return told


def test_without_a_name_there_is_none(tmp_path: Path) -> None:
    assert opened(None, tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(RoleError, match=r"pip install 'smartgrid-ai\[advisor\]'"):
        opened("openai:gpt", tmp_path)


class FakeChatModels:
    """Stands where langchain's module would."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def init_chat_model(self, name: str) -> Any:
        assert name == "fake:model"
        if isinstance(self._made, Exception):
            raise self._made
        return self._made


def test_the_named_model_writes_the_shift_log_of_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeChatModels(FakeListChatModel(responses=["all is well"]))
    monkeypatch.setitem(sys.modules, "langchain", fake)
    monkeypatch.setitem(sys.modules, "langchain.chat_models", fake)
    opened("fake:model", tmp_path)
    assert "> all is well" in (tmp_path / SHIFT_LOG).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "problem", [ValueError("Unsupported provider"), ImportError("pip install langchain-x")]
)
def test_a_model_that_cannot_be_made_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    fake = FakeChatModels(problem)
    monkeypatch.setitem(sys.modules, "langchain", fake)
    monkeypatch.setitem(sys.modules, "langchain.chat_models", fake)
    with pytest.raises(RoleError, match=f"--advisor fake:model: {problem}"):
        opened("fake:model", tmp_path)
