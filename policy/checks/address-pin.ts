/** Whether the caller's address is one the row takes. Public rows ask it too: it needs no token. */
import { isInOneOf } from '../cidr.ts';
import { denial } from '../denial.ts';
import type { Denial } from '../types.ts';
import type { Question } from './question.ts';

export function checkAddressPin({ match, facts }: Pick<Question, 'match' | 'facts'>): Denial | null {
  const pin = match.route.addressPin;
  if (pin === null || isInOneOf(pin.allow, facts.address)) return null;
  return denial('address_not_allowed', `pin ${pin.name} does not hold the caller's address`);
}
