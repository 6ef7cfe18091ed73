// A small client that compiles only if the generated types say what the API is.
import type { components, paths } from "./api.js";

type Interaction = components["schemas"]["Interaction"];
type CreateRequest = paths["/interactions"]["post"]["requestBody"]["content"]["application/json"];

export async function create(base: string, key: string, request: CreateRequest): Promise<Interaction> {
  const answer = await fetch(`${base}/interactions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-goog-api-key": key },
    body: JSON.stringify(request),
  });
  return (await answer.json()) as paths["/interactions"]["post"]["responses"]["200"]["content"]["application/json"];
}

export function listTexts(interaction: Interaction): string[] {
  const texts: string[] = [];
  for (const step of interaction.steps ?? []) {
    if (step.type === "model_output") {
      const output = step as components["schemas"]["StepsModelOutput"];
      for (const piece of output.content ?? []) {
        if (piece.type === "text") texts.push((piece as components["schemas"]["ContentsText"]).text ?? "");
      }
    }
  }
  return texts;
}

const declared: components["schemas"]["ToolsFunction"] = { type: "function", name: "get_weather", defer_loading: true };
export const request: CreateRequest = { model: "gemini-3.8-flash", input: "Hi.", tools: [declared] };

// @ts-expect-error a name is a string
export const wrong: components["schemas"]["ToolsFunction"] = { type: "function", name: 5 };
