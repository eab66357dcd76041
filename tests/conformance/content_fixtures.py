"""What the conformance suite reads: content of every kind under the names that it fixes."""

import base64
import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import AudioContent, ContentBlock, EmbeddedResource, ImageContent, TextContent
from mcp.types import TextResourceContents as TextResource

PIXEL_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENT_WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=="
IMAGE = ImageContent(type="image", data=PIXEL_PNG, mime_type="image/png")


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def resource(uri: str, mime_type: str, words: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResource(uri=uri, mime_type=mime_type, text=words))


ANSWERS: dict[str, list[ContentBlock]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [AudioContent(type="audio", data=SILENT_WAV, mime_type="audio/wav")],
    "test_embedded_resource": [
        resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
}


def add_content(server: MCPServer[Any]) -> None:
    """Add the tools, resources and prompts that answer without asking anything."""
    for name, blocks in ANSWERS.items():
        _add_answer(server, name, blocks)
    _add_resources(server)
    _add_prompts(server)


def _add_answer(server: MCPServer[Any], name: str, blocks: list[ContentBlock]) -> None:
    async def answer() -> list[ContentBlock]:
        return blocks

    server.add_tool(answer, name, description="Answers with fixed content.", structured_output=False)


def _add_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", description="A text.", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", description="A picture.", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PIXEL_PNG)

    @server.resource("test://watched-resource", description="It never changes.", mime_type="text/plain")
    def watched() -> str:
        return "Watched."

    @server.resource("test://template/{id}/data", description="By id.", mime_type="application/json")
    def by_id(id: str) -> str:  # noqa: A002  the suite's name
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _add_prompts(server: MCPServer[Any]) -> None:
    @server.prompt("test_simple_prompt", description="Without arguments.")
    def simple() -> list[UserMessage]:
        return [UserMessage("This is a simple prompt for testing.")]

    @server.prompt("test_prompt_with_arguments", description="With two arguments.")
    def with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    @server.prompt("test_prompt_with_embedded_resource", description="With a resource.")
    def with_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  the suite's name
        embedded = resource(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(embedded), UserMessage("Please process the embedded resource above.")]

    @server.prompt("test_prompt_with_image", description="With a picture.")
    def with_image() -> list[UserMessage]:
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]
