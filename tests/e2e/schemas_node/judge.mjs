// Reads lines of JSON, [schema, value], and prints for each whether ajv accepts the value.
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const [file] = process.argv.slice(2);
const document = JSON.parse(readFileSync(file, "utf8"));
const base = document.$id.replace(/bundled\/schemas\.json$/, "");
const ajv = new Ajv2020({ strict: false });
for (const schema of Object.values(document.$defs)) ajv.addSchema(schema);
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const [name, value] = JSON.parse(line);
  console.log(ajv.validate(`${base}${name}.json`, value));
}
