import { commands } from "./Command.ts"
import { exitStatus, exitStatusOf } from "./exitStatus.ts"
import { helpOf, overview } from "./help.ts"
import { keepWaiting } from "./keepWaiting.ts"
import { Output } from "./Output.ts"
import { parseArguments } from "./parseArguments.ts"
import { type ErrorContext, renderError } from "./renderError.ts"
import { dieOf, signalOfStatus } from "./ShutdownSignals.ts"
import { within } from "./within.ts"

/** Runs one command line and ends the process with its status. */
export const runCommandLine = async (argv: ReadonlyArray<string>): Promise<void> => {
  const output = new Output({ out: process.stdout, err: process.stderr })
  const errors: ErrorContext = { debug: argv.includes("--debug") }
  // The last line of defence: a fault of ours in a callback that nobody awaits.
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      void output.problem(renderError(error, errors))
      void end(output, exitStatusOf(error))
    })
  }
  keepWaiting(output)
  await end(output, await dispatch(argv, output, errors))
}

const dispatch = async (argv: ReadonlyArray<string>, output: Output, errors: ErrorContext): Promise<number> => {
  try {
    const asked = parseArguments(argv)
    switch (asked.kind) {
      case "help":
        await output.line(asked.command === undefined ? overview() : helpOf(asked.command))
        return exitStatus.done
      case "version":
        await output.line(await (await import("./packageVersion.ts")).packageVersion())
        return exitStatus.done
      case "command": {
        const command = await commands[asked.command].load()
        return await command({ operand: asked.operands[0], operands: asked.operands, flags: asked.flags, output, errors })
      }
    }
  } catch (error) {
    await output.problem(renderError(error, errors))
    return exitStatusOf(error)
  }
}

/**
 * Ends the process once everything printed has been taken.
 *
 * `process.exit` is needed since what a host was made to abandon may keep the event loop alive. It joins the threads of
 * the pool, for ever if one of them is in a write that nobody takes: then only SIGKILL is left.
 */
const end = async (output: Output, status: number): Promise<void> => {
  // At a limit of time the reader may be what took so long.
  await within(status === exitStatus.limit ? unreadMs : undefined, output.flushed(), () => {})
  process.exitCode = output.failure === undefined ? status : exitStatus.io
  const deadline = performance.now() + abandonedWriteMs
  while (hasFileRequests()) {
    if (performance.now() > deadline) dieOf(signalOfStatus(status) ?? "SIGKILL")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  process.exit()
}

const hasFileRequests = (): boolean => process.getActiveResourcesInfo().some((resource) => resource.startsWith("FSReq"))

/** What is left to the readers of the output when a limit was reached. */
const unreadMs = 2000

/** What is left to writes under way when everything else is done. */
const abandonedWriteMs = 500
