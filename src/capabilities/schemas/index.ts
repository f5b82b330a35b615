export { compileRegex, type Regex, type RegexMatch } from "./regex/Regex.ts"
export { compileSchema, compileType, type SchemaError, type Validator } from "./schema.ts"
