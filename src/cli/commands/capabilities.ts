import { alignedRows } from "../alignedRows.ts"
import { capabilityText } from "../capabilityText.ts"
import type { Invocation } from "../Command.ts"
import { exitStatus } from "../exitStatus.ts"
import { withHost } from "../withHost.ts"

/** Lists what programs can call, or shows one capability in full. */
export const capabilities = async ({ flags, operand, output }: Invocation): Promise<number> => {
  const described = await withHost(flags, output, async (host) =>
    operand === undefined ? host.capabilities() : host.capability(idOf(operand))
  )
  if (flags.json === true) await output.line(JSON.stringify(described))
  else if ("id" in described) await output.line(capabilityText(described))
  else
    for (const line of alignedRows(
      described.map(({ id, summary }) => [`:${id}`, summary]),
      ""
    ))
      await output.line(line)
  return exitStatus.done
}

/** As programs write it, or without the colon. */
const idOf = (written: string): string => written.replace(/^:/, "").replaceAll("/", ".")
