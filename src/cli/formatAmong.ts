import { UsageError } from "./UsageError.ts"

/** The value of `--format` where a command knows it. **Fails** by throwing `UsageError` where it does not. */
export const formatAmong = <const Names extends ReadonlyArray<string>>(
  names: Names,
  written: string | undefined,
  command: string
): Names[number] | undefined => {
  if (written === undefined || names.includes(written)) return written
  throw new UsageError(`--format ${written} is not one of ${command}: it takes ${names.join(", ")}.`, command)
}
