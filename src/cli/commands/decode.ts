import { toJson } from "../../rtfs/index.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { contents, formatOf } from "../fileContents.ts"
import { formatAmong } from "../formatAmong.ts"

/** Prints what is in a file, as JSON lines: one for each value of it; of a frame first its header, then its items. */
export const decode = async ({ flags, output }: Invocation): Promise<number> => {
  const file = flags.in!
  const format = formatAmong(["msgpack", "json", "ndjson"], flags.format, "decode") ?? (await formatOf(file))
  for await (const value of contents[format](file, (note) => void output.problem(note))) await output.line(toJson(value))
  return exitStatus.done
}
