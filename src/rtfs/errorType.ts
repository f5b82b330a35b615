import { isKeywordName } from "./Reader.ts"

/**
 * What `(:type e)` gives for an error of the host: its own `type`, else its tag in kebab case (`UnknownCapability` is
 * `:unknown-capability`), else `:host-error`.
 */
export const errorType = (error: Error): string => {
  const { type, _tag } = error as { type?: unknown; _tag?: unknown }
  if (Object.hasOwn(error, "type") && typeof type === "string" && isKeywordName(type)) return type
  if (typeof _tag !== "string" || !isKeywordName(_tag)) return "host-error"
  return _tag === "PermissionDenied" ? "capability-denied" : _tag.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-").toLowerCase()
}
