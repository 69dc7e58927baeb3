/** What the `next` of a list looks like: whatever else somebody sends as one is no place in the list. */

const ulid = '[0-9A-HJKMNP-TV-Z]{26}';
const tokenId = `tok_${ulid}`;

export const tokenCursor = new RegExp(`^${tokenId}$`);
/** Of one regeneration there is a row for each token that it ended. */
export const auditCursor = new RegExp(`^aud_${ulid}(?:-${tokenId})?$`);
export const alertCursor = new RegExp(`^alr_${ulid}$`);
export const activationCursor = /^[0-9]{1,15}_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
