import { defineConfig } from "vitest/config"

export default defineConfig({
  // Tests and examples import the package by its name, as its users do.
  resolve: {
    alias: {
      "rtfs-streams/effect": new URL("src/effect.ts", import.meta.url).pathname,
      "rtfs-streams": new URL("src/index.ts", import.meta.url).pathname
    }
  },
  test: {
    include: ["tests/**/*.test.ts", "property-tests/**/*.property.test.ts"],
    testTimeout: 30_000,
    // Forks, not threads: the suites change process state (signals, working folder) and start workers of their own.
    pool: "forks",
    // One for each core: most suites wait for processes, servers and disks, and few keep a core busy.
    maxWorkers: "100%",
    execArgv: ["--expose-gc"]
  }
})
