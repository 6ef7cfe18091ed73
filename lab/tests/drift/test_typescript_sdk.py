"""@google/genai is read from its declarations and its code, in the forms in which both are generated."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.outcome import UsageFault
from lab.drift.type_model import TypeModel
from lab.drift.typescript_sdk import read_typescript_sdk

DECLARATIONS = """
/** A tool. */
declare type Hammer = {
    /**
     * How heavy it is.
     *
     * @remarks
     * In kilograms.
     */
    weight?: number | undefined;
    grips: Array<Grip_2>;
    labels?: {
        [k: string]: string;
    } | undefined;
    mode?: "soft" | "hard" | (string & {}) | undefined;
    anything: any;
    kind: "hammer";
};
declare interface Saw {
    kind: "saw";
    grip?: tools.Grip;
    data?: Uint8Array | string | undefined;
}
declare type Grip$ = Grip_2;
declare type Grip_2 = {
    inner?: Grip_2 | undefined;
};
declare enum Finish { MATT = "matt", GLOSS = "gloss" }
declare type Tool = Hammer | Saw;
declare type ToolEvent = Hammer;
declare namespace tools {
    export {
        Grip_2 as Grip,
        Tool
    }
}
declare type CreateToolRequest = {
    api_version?: string | undefined;
    body: tools.Tool;
    dry_run?: boolean | undefined;
    moods?: Array<string> | undefined;
};
declare type CreateToolResponse = Hammer | Stream<ToolEvent>;
declare class Tools_2 extends ClientSDK {
    create(params: CreateToolParams, options?: RequestOptions): APIPromise<Stream<ToolEvent>>;
    create(params: CreateToolParams, options?: RequestOptions): APIPromise<operations.CreateToolResponse>;
    delete(id: string): APIPromise<void>;
    update(id: string, body: tools.Tool): APIPromise<Finish>;
}
"""
CODE = """
function toolsCreate(client, body, options) {
    const path = pathToFunc("/{api_version}/tools")(pathParams);
    const query = encodeFormQuery({
        "dry_run": payload === null || payload === void 0 ? void 0 : payload.dry_run,
        "mood": payload.moods,
    });
    const context = { operation_id: "createTool" };
    const req = client._createRequest(context, { method: "POST" });
}
function toolsDelete(client, id, options) {
    const path = pathToFunc("/{api_version}/tools/{toolsId}")(pathParams);
    const context = { operation_id: "DeleteTool" };
    const req = client._createRequest(context, { method: "DELETE" });
}
function toolsUpdate(client, id, body, options) {
    const path = pathToFunc("/{api_version}/tools/{toolsId}")(pathParams);
    const context = { operation_id: "UpdateTool" };
    const req = client._createRequest(context, { method: "PATCH" });
}
"""


def write(folder: Path, declarations: str = DECLARATIONS, code: str = CODE) -> Path:
    """An unpacked package."""
    (folder / "dist").mkdir()
    (folder / "dist" / "genai.d.ts").write_text(declarations, encoding="utf-8")
    (folder / "dist" / "index.mjs").write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TypeModel:
    """The types of the package above."""
    pytest.importorskip("tree_sitter_typescript")
    return read_typescript_sdk(write(tmp_path_factory.mktemp("package")), "toy")


def test_calls_have_method_path_and_query(model):
    """A call is matched by class and method with the code that knows its path."""
    keys = {operation.key for operation in model.operations.values()}
    assert keys == {"POST /tools", "DELETE /tools/{}", "PATCH /tools/{}"}
    assert list(model.operations["createTool"].parameters) == ["dry_run", "mood"]


def test_bodies_answers_and_streams_are_told_apart(model):
    """A body comes from the request type or from the parameter; what is in `Stream` is an event."""
    create, update = model.operations["createTool"], model.operations["UpdateTool"]
    assert create.body is not None
    assert create.body.records == ("Hammer", "Saw")
    assert create.answer is not None
    assert create.answer.records == ("Hammer",)
    assert create.events is not None
    assert create.events.records == ("Hammer",)
    assert update.body is not None
    assert update.body.records == ("Hammer", "Saw")
    assert update.answer is not None
    assert update.answer.values == {"matt", "gloss"}
    assert model.operations["DeleteTool"].answer is None


def test_fields_have_kind_values_and_whether_they_are_required(model):
    """Optional fields, lists, maps, open lists of values, constants and `any` are read as they are."""
    fields = model.records["Hammer"].fields
    assert {name for name, part in fields.items() if part.required} == {"grips", "anything", "kind"}
    assert fields["weight"].shape.kinds == {"number"}
    assert fields["weight"].text == "How heavy it is. In kilograms."
    assert fields["mode"].shape.values == {"soft", "hard"}
    assert not fields["mode"].shape.fixed
    assert fields["kind"].shape.fixed
    assert fields["anything"].shape.kinds == {"any"}
    assert fields["labels"].shape.entry.kinds == {"string"}
    assert fields["grips"].shape.item.records == ("Grip_2",)
    assert model.records["Saw"].fields["grip"].shape.records == ("Grip_2",)
    assert model.records["Saw"].fields["data"].shape.kinds == {"string"}


@pytest.mark.parametrize("missing", ["genai.d.ts", "index.mjs"])
def test_a_folder_without_the_package_is_refused(tmp_path, missing):
    """A missing file is named."""
    folder = write(tmp_path)
    (folder / "dist" / missing).unlink()
    with pytest.raises(UsageFault, match=missing):
        read_typescript_sdk(folder, "toy")


def test_a_package_without_calls_is_refused(tmp_path):
    """A package whose code has no call that is understood is no empty comparison."""
    pytest.importorskip("tree_sitter_typescript")
    with pytest.raises(UsageFault, match="no calls"):
        read_typescript_sdk(write(tmp_path, code="// nothing"), "toy")


@pytest.mark.parametrize(
    "aliases",
    [
        "declare type A0 = A0 | Stream<string>;",
        *(
            "".join(f"declare type A{n} = A{n + 1} | A{n + 1}{more};\n" for n in range(60))
            + "declare type A60 = B;"
            for more in ("", " | Stream<string>")
        ),
        "declare type A0 = A1 | string; declare type A1 = Array<A0>;",
    ],
    ids=["itself", "doubling", "doubling streams", "each other"],
)
def test_a_name_of_a_type_is_followed_once(tmp_path, aliases):
    """A name that stands for itself, or twice for the next one of sixty, is read in no endless time."""
    pytest.importorskip("tree_sitter_typescript")
    declarations = DECLARATIONS.replace("APIPromise<Stream<ToolEvent>>", "APIPromise<A0>") + aliases
    assert read_typescript_sdk(write(tmp_path, declarations), "toy").operations
