export { compileRegex, type Regex, type RegexMatch } from "./regex/Regex.ts"
export { InvalidSchema } from "./InvalidSchema.ts"
export { compileSchema, compileType, type SchemaError, type SchemaOptions, type Validator } from "./schema.ts"
