// A small client that compiles only if the `type` of a step, a content and an event says what it holds.
import type { components } from "./api.js";

type Schemas = components["schemas"];

export function listTexts(interaction: Schemas["Interaction"]): string[] {
  const texts: string[] = [];
  for (const step of interaction.steps ?? []) {
    if (step.type !== "model_output") continue;
    for (const piece of step.content ?? []) {
      if (piece.type === "text") texts.push(piece.text ?? "");
    }
  }
  return texts;
}

export function textOf(event: Schemas["Event"]): string {
  if (event.event_type !== "step.delta" || event.delta.type !== "text") return "";
  return event.delta.text ?? "";
}

export const isOver = (interaction: Schemas["Interaction"]): boolean => interaction.status === "completed";

// @ts-expect-error no such status
export const isDone = (interaction: Schemas["Interaction"]): boolean => interaction.status === "done";
