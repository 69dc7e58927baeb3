/** The config as this process runs it: loaded, rehearsed by its fixtures, placed by the command line. */
import { type Address, parseAddress } from './config/address.ts';
import { type AdminSettings, adminFlaw } from './config/admin-settings.ts';
import { type LoadedConfig, loadConfig } from './config/load.ts';
import type { Problem } from './config/problems.ts';
import { runFixtures } from './fixtures.ts';

export type Placement = {
  readonly configFile: string;
  /** `HOST:PORT`, instead of the config's. */
  readonly listen?: string;
  readonly health?: string;
  readonly admin?: string;
  /** Replaces what the config says; for the demo. */
  readonly adapt?: (config: LoadedConfig) => LoadedConfig;
};

/** The config may not be used. `problems` is everything wrong with it, never empty. */
export class ConfigRefused extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`the config has ${problems.length} problem${problems.length === 1 ? '' : 's'}`);
    this.name = 'ConfigRefused';
    this.problems = problems;
  }
}

/** Start, reload and `check` judge a config alike: here. @throws ConfigRefused */
export async function readConfig(placement: Placement): Promise<LoadedConfig> {
  const loading = loadConfig(placement.configFile, process.env);
  if (!loading.ok) throw new ConfigRefused(loading.problems);
  const failed = await runFixtures(loading.config);
  if (failed.length > 0) throw new ConfigRefused(failed);
  const { config } = loading;
  const placed = { ...config, listen: { ...config.listen, ...addressOf(placement.listen) } };
  const health = { ...config.health, ...addressOf(placement.health) };
  const admin = placedAdmin(config, addressOf(placement.admin));
  return placement.adapt?.({ ...placed, health, admin }) ?? { ...placed, health, admin };
}

/** @throws ConfigRefused where the config does not allow the admin listener to be there. */
function placedAdmin(config: LoadedConfig, address: Address | null): AdminSettings | null {
  if (address === null) return config.admin;
  const admin = { public: false, hosts: [], mcp: false, ...config.admin, ...address };
  const flaw = adminFlaw(admin);
  if (flaw !== null) throw new ConfigRefused([config.problemAt(flaw)]);
  return admin;
}

function addressOf(text: string | undefined): Address | null {
  if (text === undefined) return null;
  const address = parseAddress(text);
  if (!address.ok) throw new TypeError(address.message);
  return address.value;
}
