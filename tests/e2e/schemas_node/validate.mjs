// Prints for each OpenAPI document its version and whether it is valid.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

for (const file of process.argv.slice(2)) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(JSON.parse(readFileSync(file, "utf8")));
  console.log(validator.version, valid, JSON.stringify(errors) ?? "");
}
