#!/usr/bin/env node
// The bin. It imports nothing before it knows that this Node understands what it would import.

const [major, minor] = process.versions.node.split(".").map(Number) as [number, number]
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `rtfs-streams needs Node 22.19 or newer, but this is ${process.version} (${process.execPath}).\n`
      + `Install a newer Node, or put one that is installed first on the PATH.\n`
  )
  process.exitCode = 64
} else {
  // Compiled code is kept between runs; that is a quarter of the time in which a command starts.
  const { enableCompileCache } = await import("node:module")
  enableCompileCache?.()
  const { runCommandLine } = await import("./commandLine.ts")
  await runCommandLine(process.argv.slice(2))
}

export {}
