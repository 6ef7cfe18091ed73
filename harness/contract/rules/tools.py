"""Rules of function calls and their results, of server-side tools, and of requires_continuation.

Layer 1. Data only. Whether a model calls a function is its own decision, so every rule is about calls that were
made or requests that were sent.
"""

from __future__ import annotations

from harness.contract.rules.pages import (
    ADK_ISSUE,
    BREAKING_CHANGES,
    ERRORS,
    FUNCTION_CALLING,
    PROBES,
    RECORDINGS,
    REFERENCE,
    SDK,
    STREAMING,
)
from harness.outcome import Basis, Level, Rule

_STREAMING = STREAMING.cite(Basis.DOCUMENTED, "Function calling: requires_action")
_RESULT = STREAMING.cite(Basis.DOCUMENTED, "Function calling: sending the result")
_STATELESS = BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Stateless conversations: resend the steps")
_SDK_CONTINUATION = SDK.cite(Basis.SCHEMA, "Interaction.continuation_token")

RULES: tuple[Rule, ...] = (
    Rule(
        id="tool.requires-action",
        level=Level.MUST,
        statement="A model's pending function call gives the interaction the status requires_action.",
        breaks="Tool loops that wait for requires_action never run the function.",
        source=_STREAMING,
    ),
    Rule(
        id="tool.call-fields",
        level=Level.MUST,
        statement="A function_call step has a non-empty id and name, and arguments that are an object.",
        breaks="The call cannot be dispatched, or its result cannot be sent back.",
        source=REFERENCE.cite(Basis.SCHEMA, "FunctionCallStep"),
    ),
    Rule(
        id="tool.ids-unique",
        level=Level.SHOULD,
        statement="The calls of one answer have different ids.",
        breaks="Results of parallel calls are attributed to the wrong call.",
        source=FUNCTION_CALLING.cite(Basis.INFERRED, "Parallel calls: results are matched by id"),
    ),
    Rule(
        id="tool.declared",
        level=Level.SHOULD,
        statement="The function that is called was declared in the request.",
        breaks="A client is asked to run something it does not have.",
        source=ERRORS.cite(Basis.DOCUMENTED, "unexpected_tool_call"),
    ),
    Rule(
        id="tool.args-fit",
        level=Level.MAY,
        statement="The arguments of a call have the required parameters of the declaration, in their types.",
        breaks="A function that trusts its declaration fails on its input.",
        source=FUNCTION_CALLING.cite(Basis.INFERRED, "Function declarations: parameters"),
    ),
    Rule(
        id="tool.get-same",
        level=Level.SHOULD,
        statement="GET shows an interaction that waits for a result as the create answered it.",
        breaks="A client that comes back later cannot pick up the pending call.",
        source=REFERENCE.cite(Basis.INFERRED, "Get an interaction"),
    ),
    Rule(
        id="tool.result-ok",
        level=Level.MUST,
        statement="A function_result that names the pending call, chained to its interaction, is accepted.",
        breaks="The tool loop cannot be closed.",
        source=_RESULT,
    ),
    Rule(
        id="tool.result-forms",
        level=Level.SHOULD,
        statement="A result may be a string, an object, or a list of content.",
        breaks="Clients must wrap results in a form that only this server takes.",
        source=REFERENCE.cite(Basis.SCHEMA, "FunctionResultStep: result"),
    ),
    Rule(
        id="tool.result-final",
        level=Level.SHOULD,
        statement="In the foreground the answer to a function_result has a settled status.",
        breaks="A client that sent the result gets a promise it never polls.",
        source=REFERENCE.cite(Basis.INFERRED, "CreateInteraction: background"),
    ),
    Rule(
        id="tool.result-error",
        level=Level.SHOULD,
        statement="A function_result with is_error is accepted like any other.",
        breaks="A tool that fails ends the conversation instead of being told to the model.",
        source=REFERENCE.cite(Basis.SCHEMA, "FunctionResultStep: is_error"),
    ),
    Rule(
        id="tool.result-no-tools",
        level=Level.MAY,
        statement="A result is accepted whether or not the tools are declared again.",
        breaks="One of the two forms that the guides show fails.",
        source=FUNCTION_CALLING.cite(Basis.INFERRED, "Sending the result (samples with and without tools)"),
    ),
    Rule(
        id="tool.result-bad-id",
        level=Level.MAY,
        statement="A result for a call that was never made answers 400.",
        breaks="A mixed-up call id goes unnoticed and the model answers without the result.",
        source=REFERENCE.cite(Basis.INFERRED, "FunctionResultStep: call_id"),
    ),
    Rule(
        id="tool.result-name",
        level=Level.MAY,
        statement="A function_result that a client sends names its function.",
        breaks="The live service refuses the turn, at times without a word about the name.",
        source=PROBES.cite(Basis.OBSERVED, "function_result without name: refusals that four parties report"),
    ),
    Rule(
        id="tool.result-orphan",
        level=Level.SHOULD,
        statement="A lone function_result without the interaction it belongs to is refused.",
        breaks="A client that forgot previous_interaction_id gets an answer made of nothing.",
        source=ADK_ISSUE.cite(Basis.OBSERVED, "function_result without previous id"),
    ),
    Rule(
        id="tool.parallel",
        level=Level.SHOULD,
        statement="The results of several calls of one answer are accepted together.",
        breaks="Parallel function calling fails at its last step.",
        source=FUNCTION_CALLING.cite(Basis.DOCUMENTED, "Parallel calls"),
    ),
    Rule(
        id="tool.choice-none",
        level=Level.SHOULD,
        statement="With tool_choice none no function is called.",
        breaks="A client that switched tools off for a turn is asked to run one.",
        source=REFERENCE.cite(Basis.SCHEMA, "GenerationConfig: tool_choice"),
    ),
    Rule(
        id="tool.choice-any",
        level=Level.SHOULD,
        statement="With tool_choice any a function is called, even if the question needs none.",
        breaks="A program that counts on a call, such as a router or an extractor, gets prose instead.",
        source=FUNCTION_CALLING.cite(Basis.DOCUMENTED, "tool_choice: any"),
    ),
    Rule(
        id="tool.choice-allowed",
        level=Level.SHOULD,
        statement="With allowed_tools in tool_choice only the functions it names are called.",
        breaks="A client that narrowed a turn down to one function is asked to run another.",
        source=FUNCTION_CALLING.cite(Basis.DOCUMENTED, "tool_choice: allowed_tools"),
    ),
    Rule(
        id="tool.stateless",
        level=Level.SHOULD,
        statement="With store=false, the steps sent back unchanged, with the result, are accepted.",
        breaks="Tool loops are impossible for whoever may not store data.",
        source=_STATELESS,
    ),
    Rule(
        id="tool.signature-missing",
        level=Level.MAY,
        statement="A stateless turn that lost its thought signatures is refused.",
        breaks="The model goes on without its reasoning, and the loss shows only as worse answers.",
        source=ERRORS.cite(Basis.DOCUMENTED, "missing_thought_signature"),
    ),
    Rule(
        id="tool.stream-status",
        level=Level.SHOULD,
        statement="A streamed function call ends with interaction.completed and the status requires_action.",
        breaks="Streaming clients take a pending call for a finished answer.",
        source=_STREAMING,
    ),
    Rule(
        id="tool.stream-call",
        level=Level.MUST,
        statement="A streamed function call carries its id and name, and its arguments join to an object.",
        breaks="Streaming clients cannot run the function.",
        source=STREAMING.cite(Basis.DOCUMENTED, "arguments_delta"),
    ),
    Rule(
        id="tool.search",
        level=Level.SHOULD,
        statement="A search that was declared is run by the server: nothing is left to the client.",
        breaks="A client is asked to run a tool that only the server has, and the conversation ends there.",
        source=REFERENCE.cite(Basis.SCHEMA, "Tool: google_search; its call and result steps"),
    ),
    Rule(
        id="tool.search-shape",
        level=Level.MAY,
        statement="A search shows as a google_search_call and a google_search_result that names it.",
        breaks="Sources and search suggestions, which must be displayed, cannot be found.",
        source=RECORDINGS.cite(Basis.OBSERVED, "google_search steps"),
    ),
    Rule(
        id="cont.token",
        level=Level.SHOULD,
        statement="The status requires_continuation comes with a non-empty continuation_token.",
        breaks="The rest of the answer can never be asked for.",
        source=_SDK_CONTINUATION,
    ),
    Rule(
        id="cont.next",
        level=Level.SHOULD,
        statement="The token with its interaction as the previous one, and no input, is accepted with a new id.",
        breaks="The official clients, which send no input here, stop in the middle of the answer.",
        source=SDK.cite(Basis.SCHEMA, "automatic continuation"),
    ),
    Rule(
        id="cont.with-input",
        level=Level.SHOULD,
        statement="With store=false the token beside the request it continues is accepted.",
        breaks="The official clients, which send both where nothing is stored, stop in the middle of the answer.",
        source=SDK.cite(Basis.SCHEMA, "automatic continuation: store=false"),
    ),
    Rule(
        id="cont.bad-token",
        level=Level.SHOULD,
        statement="A continuation_token that was never issued is refused.",
        breaks="A stale token starts a new, billable answer.",
        source=SDK.cite(Basis.INFERRED, "automatic continuation: tokens have an owner"),
    ),
    Rule(
        id="cont.stream",
        level=Level.SHOULD,
        statement="A streamed hop that must be continued ends with that status and the token.",
        breaks="Streaming clients take the first part for the whole answer.",
        source=SDK.cite(Basis.SCHEMA, "InteractionSseEvent: continuation_token"),
    ),
    Rule(
        id="cont.checkpoint",
        level=Level.SHOULD,
        statement="The token of a status update is accepted, and what came before it is not answered again.",
        breaks="A client that lost the stream of a long answer pays for all of it again, or shows it twice.",
        source=SDK.cite(Basis.SCHEMA, "InteractionStatusUpdate.continuation_token"),
    ),
)
