"""The question before the autonomy is halted, or may act again."""

from typing import TYPE_CHECKING

from nicegui import ui

from operator_console.elements import button

if TYPE_CHECKING:
    from operator_console.frame import Frame

HALT = (
    "Halt the autonomy?",
    "Every live proposal is withdrawn, and battery and peaker go to their safe setpoints within their "
    "limits. Nothing acts by itself until an operator resumes.",
    "Halt autonomy",
    "The autonomy is halted",
)
RESUME = (
    "Let the autonomy act again?",
    "The supervisor's loops propose again from the next interval on.",
    "Resume autonomy",
    "The autonomy may act again",
)


def ask_to_switch(frame: "Frame") -> None:
    """Ask for a reason, and for a second click."""
    resume = frame.halted
    title, text, word, done = RESUME if resume else HALT
    with ui.dialog() as dialog, ui.card().classes("dialog").props('role="dialog" aria-modal="true"'):

        def switch() -> None:
            desk = frame.room.desk
            wish = desk.resume if resume else desk.halt
            if frame.act(lambda: wish(frame.subject, reason.value), done):
                dialog.close()

        ui.label(title).classes("title")
        ui.label(text)
        reason = ui.input("Reason, for the audit").props("outlined autofocus data-is=reason")
        reason.on("keydown.enter", switch)
        with ui.element("div").classes("end"):
            button("Cancel", dialog.close)
            button(word, switch, "main" if resume else "stop")
    dialog.on("hide", dialog.delete)
    dialog.open()
