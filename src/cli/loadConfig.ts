import { readFile } from "node:fs/promises"
import type { HostOptions } from "../host/index.ts"
import { UsageError } from "./UsageError.ts"

/** What a file of `--config` may name: servers, by the names under which programs ask for them. */
export type ServerNames = Pick<HostOptions, "connections" | "mcpServers" | "mcpEndpoints">

const known = ["connections", "mcpServers", "mcpEndpoints"] as const

/**
 * Reads a file of `--config`: a JSON object such as `{"connections": {"redis": "redis://…"}, "mcpServers": {"weather": {"command": "…"}}}`.
 *
 * What stands under a name is checked by the host. **Fails** with `UsageError`, or with the system's error for the file.
 */
export const loadConfig = async (path: string): Promise<ServerNames> => {
  const text = await readFile(path, "utf8")
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    // The message may end with a part of the text, where passwords are.
    throw new UsageError(`--config ${path} is no JSON: ${(error as Error).message.replace(/, (?:\.\.\.)?".*/s, "")}`)
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`--config ${path} must hold a JSON object with some of ${known.join(", ")}`)
  }
  const unknown = Object.keys(parsed).find((key) => !known.includes(key as (typeof known)[number]))
  if (unknown !== undefined) throw new UsageError(`--config ${path} has ${JSON.stringify(unknown)}, but may only have ${known.join(", ")}`)
  return parsed
}
