/** Lists of networks, compared by the addresses that lie in them. */
import { formatNetwork, isInOneOf } from './cidr.ts';
import type { Step } from './diff-verdicts.ts';
import type { Network } from './types.ts';

/** null: addresses came and addresses went. 0: the same addresses. */
export function networksStep(was: readonly Network[], is: readonly Network[]): Step | null {
  const [gained, lost] = [!holdsAll(was, is), !holdsAll(is, was)];
  if (gained && lost) return null;
  return gained ? 1 : lost ? -1 : 0;
}

export function networksText(networks: readonly Network[]): string {
  return networks.map(formatNetwork).join(' ') || 'none';
}

/** Each inside one of the others. What only several together hold counts as not held: then a person looks. */
function holdsAll(outer: readonly Network[], inner: readonly Network[]): boolean {
  return inner.every((network) => outer.some((wide) => wide.bits <= network.bits && begins(wide, network)));
}

/** Whether the first address of a network lies in another, which is no narrower. */
function begins(wide: Network, network: Network): boolean {
  const address = formatNetwork(network).replace(/\/\d+$/, '');
  return isInOneOf([wide], address);
}
