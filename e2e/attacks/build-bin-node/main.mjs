import './built.mjs';
