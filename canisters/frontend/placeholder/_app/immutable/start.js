export const page = "placeholder";
