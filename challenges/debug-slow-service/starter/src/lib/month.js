import { z } from 'zod';

/** A month of the business year that the store holds. */
export const Month = z.string().regex(/^2025-(0[1-9]|1[0-2])$/);
