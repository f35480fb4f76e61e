"""Elements to look at: images on a contact sheet, text and numbers beside them."""

from penstock.show.sheet import contact_sheet

__all__ = ["contact_sheet"]
