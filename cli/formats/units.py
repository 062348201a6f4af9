"""Numbers as people read them."""


def degrees(value: float) -> str:
    """To a tenth of a metre."""
    return f"{value:.6f}°"


def metres(value: float) -> str:
    """Metres, or kilometres from one kilometre up; three or four figures."""
    if value < 999.5:
        return f"{value:.3g} m" if value < 99.95 else f"{value:.0f} m"
    kilometres = value / 1000
    if kilometres < 99.95:
        return f"{kilometres:.3g} km"
    return f"{kilometres:,.0f} km" if kilometres < 1e6 else f"{kilometres:.3g} km"


def percent(share: float) -> str:
    """Per cent, without needless decimals."""
    return f"{100 * share:.6g} %"
